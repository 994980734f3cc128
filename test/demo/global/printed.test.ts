/** The data of the walkthrough with Services shared by annotation against what was published and against each other. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { globalService } from '../../../api/global-service.ts'
import { IMAGE } from '../../lab/images.ts'

const read = (...path: readonly string[]) => readFileSync(join(import.meta.dirname, ...path), 'utf8')
const [rebels, answers, wings] = parseAllDocuments(read('printed/rebel-base.yaml')).map((each) => each.toJS())

test('the lab has the images of the printed manifest under the names that containerd makes of them', () => {
  const [nginx, mock] = [rebels, wings].map(({ spec }) => spec.template.spec.containers[0].image as string)
  expect(nginx?.replace('docker.io/', 'docker.io/library/')).toBe(IMAGE.nginx)
  expect(mock?.replace(/:v[\d.]+@/, '@')).toBe(IMAGE.jsonMock)
})

test('the Service leads to the pods of the printed manifest and is global', () => {
  const service = parse(read('service.yaml'))
  expect(service.spec.selector).toEqual(rebels.spec.template.metadata.labels)
  expect(service.spec.ports[0].port).toBe(rebels.spec.template.spec.containers[0].livenessProbe.httpGet.port)
  expect(globalService(service)).toMatchObject({ global: true, shared: true, affinity: 'none', faults: [] })
  expect(answers.data.message).toContain('"Cluster": "Cluster-1"')
})
