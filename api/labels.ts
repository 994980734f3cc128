/** What the API server takes for labels and annotations. */
const NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/
const PREFIX = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/

/** Whether a label or an annotation can have the name. */
export const isWordName = (name: string): boolean => {
  const [last = '', prefix, ...more] = name.split('/').toReversed()
  return more.length === 0 && NAME.test(last) && (prefix === undefined || PREFIX.test(prefix))
}

export const isLabelValue = (value: string): boolean => LABEL_VALUE.test(value)
