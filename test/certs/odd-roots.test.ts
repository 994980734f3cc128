/** Roots that a member may publish and no proxy may be given: one of them would cost a proxy the roots of all others. */
import { expect, test } from 'vitest'
import { readBundle } from '../../api/trust-bundle.ts'
import { issueRoot } from '../../certs/issue.ts'

const bundle = (...certificates: readonly string[]) =>
  JSON.stringify({ keys: certificates.map((each) => ({ use: 'x509-svid', x5c: [each] })), sequence_number: 1 })

const derOf = (pem: string): string => pem.replaceAll(/-----[^-]+-----|\s/g, '')
const usual = async (commonName: string) =>
  derOf((await issueRoot({ commonName, now: Date.now(), lifeMs: 3_600_000 })).cert)

/** Made by `openssl req -x509`, each with another kind of key. */
const ODD = [
  [
    'DSA',
    'MIIC0jCCAn+gAwIBAgIUaaiLKLSgGPgibvs4N9LZ34EJaPEwCwYJYIZIAWUDBAMCMA4xDDAKBgNVBAMMA2RzYTAeFw0yNjExMjExNTMyNDJaFw0zNjExMTgxNTMyNDJaMA4xDDAKBgNVBAMMA2RzYTCCAb4wggEzBgcqhkjOOAQBMIIBJgKBgQDILfYoXwjZLmUvHFkcHw0uxUa0s/tB0psQnbgvQtS4rnrIoypGKHY+14Lt0W44OQT7lQOnG3pbMPKO7rEY3uN0sUMA8Yk8IAlX6uBmOD8HoDYR/XJpszlKY+92sr0klmU8p75Tpb9IVsSggudHHyWEQpwmyzWkNj027wzGmb24vwIdAMNh1nbPqSmW2KrFArWEZ5JsOjHbykLeLlPwm6ECgYA70D3OeXipGBSHVFZXd8IElAtX9SymdXwF95Ky11wFZQt03KGGetUPt9wdeTHHWWWlrTApvr2rr5bzbiyhCFVuJQAtEU9nw8lKKmTNAjsedzMCS8aGQZdLDOqIMpLLtAPyBLwV1lG8Eo1Y2oy5Zt+KWO0EKw3S4a94zTxSriS8CQOBhAACgYBCjz8ATk4ZSGt3oL4gE62DthJes0VrEsFi80lxw2m+LKdqhveEXtrd0ra5vrHiCmoiEXpj2JYj1ThXvOY4I91reT8vU3WvkfT3zVQSYFKRcA9cfMwi5HJ40xRmYlVQ2zqVipgYvPoUXtpxORMnrWxq6UIIM7nGKkDlS05WPU/6PaNTMFEwHQYDVR0OBBYEFMBhG9zffBXrcZS1KOVHC0urxASAMB8GA1UdIwQYMBaAFMBhG9zffBXrcZS1KOVHC0urxASAMA8GA1UdEwEB/wQFMAMBAf8wCwYJYIZIAWUDBAMCA0AAMD0CHCch78ZZ9xZxjM0T6qZYcSQdIMtfN2ZVwZhthpkCHQCUGnyGuWivOX0xdRMMAwBf1ODyYc4ZGfb9HpYc',
  ],
  [
    'a curve of its own',
    'MIIBbzCCARagAwIBAgIUDwkH/UTbf2+P9egZz721MjtzTqEwCgYIKoZIzj0EAwIwDTELMAkGA1UEAwwCYnAwHhcNMjYxMTIxMTUzMjQ1WhcNMzYxMTE4MTUzMjQ1WjANMQswCQYDVQQDDAJicDBaMBQGByqGSM49AgEGCSskAwMCCAEBBwNCAASX7TVgfxDYoUI9fGxa5ev0xkQcqCuf8jiz0OyVvvs7Dx/ndqLNKkQaHU1gTJruJPGk3kIV1yLHszKU6mpsmDYVo1MwUTAdBgNVHQ4EFgQUuc3yZerItmyqtKqCl1QmXF/hFQkwHwYDVR0jBBgwFoAUuc3yZerItmyqtKqCl1QmXF/hFQkwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiA6mkDB2qaI17H5zvEr41TjLBG4jlJ/xLqrtAr8oVwWlAIgPQTaOCIiYPBmNFMilDbhFGOAsppwVKb/teLok86xNI0=',
  ],
  [
    'Ed448',
    'MIIBgDCCAQCgAwIBAgIUIgsXiAIWp0gKJsiApkDbTQxuxf8wBQYDK2VxMBAxDjAMBgNVBAMMBWVkNDQ4MB4XDTI2MTEyMTE1MzI0M1oXDTM2MTExODE1MzI0M1owEDEOMAwGA1UEAwwFZWQ0NDgwQzAFBgMrZXEDOgDQ2BBDaJHrM8nnNdMvPSMD1So3OwJmCBFpgpeCwXk222UZmurlAjqzi59zKlJGv65KL9l/4+J9EwCjUzBRMB0GA1UdDgQWBBQQhR2msVtbJiw1TKS5wk+mOFnqUzAfBgNVHSMEGDAWgBQQhR2msVtbJiw1TKS5wk+mOFnqUzAPBgNVHRMBAf8EBTADAQH/MAUGAytlcQNzANkHatys67jJr1AkcrqfcylN6ou0YkcahFziFgLbVbrz99CDhr7XNpJSfKgD+i0fVhsiQAuVSLLSAHkhSGRlRihzxMBmdrFKj3PjuCEFskCYhPHj33K5Dkv4KHsE6LIRWKWDwJSh1LJmHT6nQ5/5f54OAA==',
  ],
  [
    'a curve of a currency',
    'MIIBazCCARKgAwIBAgIUBO+wf8qZIiogGfo4mqJ4vgnLi+gwCgYIKoZIzj0EAwIwDTELMAkGA1UEAwwCazEwHhcNMjYxMTIxMTUzMjQ1WhcNMzYxMTE4MTUzMjQ1WjANMQswCQYDVQQDDAJrMTBWMBAGByqGSM49AgEGBSuBBAAKA0IABC5blHeC/5g0R/S+Y76GT2XF4oVsvIcyiRlArAgafsdA2eB3W8VzkZUz6YRAqC81XuyjhnVYSMxO3SqN7/auj+SjUzBRMB0GA1UdDgQWBBTEnC/BOgMuvm4hY2xK/hi9o8Ra4jAfBgNVHSMEGDAWgBTEnC/BOgMuvm4hY2xK/hi9o8Ra4jAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCIFmEp+u8m0heUdURGDYzk+BteBDKSsIlIUHHzZTowG0qAiBncbQsVqu4+quj0d5SLSuycqfynxjl1126ABYZVs93Cg==',
  ],
  [
    'a curve spelt out',
    'MIICZzCCAg2gAwIBAgIUfrr+UvJ7tewoWNaeM+vmIEgrGA0wCgYIKoZIzj0EAwIwDzENMAsGA1UEAwwEZXhwbDAeFw0yNjExMjExNTMyNDZaFw0zNjExMTgxNTMyNDZaMA8xDTALBgNVBAMMBGV4cGwwggFLMIIBAwYHKoZIzj0CATCB9wIBATAsBgcqhkjOPQEBAiEA/////wAAAAEAAAAAAAAAAAAAAAD///////////////8wWwQg/////wAAAAEAAAAAAAAAAAAAAAD///////////////wEIFrGNdiqOpPns+u9VXaYhrxlHQawzFOw9jvOPD4n0mBLAxUAxJ02CIbnBJNqZnjhE50mt4GffpAEQQRrF9Hy4SxCR/i85uVjpEDydwN9gS3rM6D0oTlF2JjClk/jQuL+Gn+bjufrSnwPnhYrzjNXazFezsu2QGg3v1H1AiEA/////wAAAAD//////////7zm+q2nF56E87nKwvxjJVECAQEDQgAE3uGPDlR70ray0f/W+m3vTqNsyUkOUstK3sV14AIxzXLChYIjcvF2m4D4lTBT/Zvn6ylBoN2VIN5rKN47A8YfgaNTMFEwHQYDVR0OBBYEFGZOJf++bgaxstksoZ2S9ywJrzQKMB8GA1UdIwQYMBaAFGZOJf++bgaxstksoZ2S9ywJrzQKMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhAJo/+xu6EtDL74IYdSg3TyaN0bwO0J2KZIyMNitn8dJ3AiBE0kFkioP4kMHOA74leh0QEEFnVL7iTXI5X+m6IPKQYA==',
  ],
  [
    'RSA for PSS alone',
    'MIIDazCCAh6gAwIBAgIUZA4dWutrw6BGD3Uteuy1q38djCswQgYJKoZIhvcNAQEKMDWgDzANBglghkgBZQMEAgEFAKEcMBoGCSqGSIb3DQEBCDANBglghkgBZQMEAgEFAKIEAgIA3jARMQ8wDQYDVQQDDAZyc2Fwc3MwHhcNMjYxMTIxMTUzMjQ0WhcNMzYxMTE4MTUzMjQ0WjARMQ8wDQYDVQQDDAZyc2Fwc3MwggEgMAsGCSqGSIb3DQEBCgOCAQ8AMIIBCgKCAQEA1Xdk1SdofvHPoUqYJyWxAgJY8WzdBFS6DbBaGA88aeT3rAeqAcRW5womvBx/HEI9mAIZTc5ujV1JWRUwfKDYRUxqBcbv755Er7AI0NLnmBdDDGnKMJssttVsoYqz/+fZs1gbMuNYBb83LczGtNz4/hcNSxY68VMpCtLKanf6jcWfl7AWCAOaxU9NGeGDwRef0LOm4BweJjUt5KNNXSW5DUsovoP53nYDQ0CVjguJzgctXkthHjs8raYdRtZOMKdWHxy4wkdEmnAa5JJgLfIAfpUSrblTvbCxmONq2kYfTWNnL/gISlITQPjlvflgzVCgtBpmZ/eobruLJ6krYii5iwIDAQABo1MwUTAdBgNVHQ4EFgQUjMS9/xhWODhU20ws+Sil4taNzbQwHwYDVR0jBBgwFoAUjMS9/xhWODhU20ws+Sil4taNzbQwDwYDVR0TAQH/BAUwAwEB/zBCBgkqhkiG9w0BAQowNaAPMA0GCWCGSAFlAwQCAQUAoRwwGgYJKoZIhvcNAQEIMA0GCWCGSAFlAwQCAQUAogQCAgDeA4IBAQBIjyua16d0yBlbwpTgIYwHgkwCpxr1Lx50VbdAfpteSVz9WKtiXqRYbySvL2N2VUhfOziKz2N49n4+xEeQg4xWlmxIDJzN3k1Lj/KDcp+af4UzYuRfMAsJGBJewuuPRZpfeuq8TpfpV95S+28KKVzZR+v3qY47NaTPuXuXEDCTyaLH2lkbv3vThRCq/lG3kzBZ0mABacMzMuLLTrwagS1gJuR+7zyW1H7HEiSF4865B7F8QboBbkA/9BqCevGr9sT5vkPKheR/WPKLrA4S1gz1SWINwvJoxSPK31SpI3FqnzBf8iE7tVoAaUO8W7A6Ns6g0dbq6Cvz+rZWFshtQZ/z',
  ],
  [
    'RSA of 512 bits',
    'MIIBeTCCASOgAwIBAgIUKXGVdo2rk/RCH+poSg4dy8Z+TCcwDQYJKoZIhvcNAQELBQAwETEPMA0GA1UEAwwGcnNhNTEyMB4XDTI2MTEyMTE1MzI0NFoXDTM2MTExODE1MzI0NFowETEPMA0GA1UEAwwGcnNhNTEyMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBANnf2bvXuLPeZP1Fq8DqvVp9zRnVJ3Wj2F0YVdZT3TndEzq33eGt6GZQYe8LhATy3aXIWLkMRd//fvFnfx247SECAwEAAaNTMFEwHQYDVR0OBBYEFLI+NU5J2f3lOHoqMhKMabiZSpaGMB8GA1UdIwQYMBaAFLI+NU5J2f3lOHoqMhKMabiZSpaGMA8GA1UdEwEB/wQFMAMBAf8wDQYJKoZIhvcNAQELBQADQQAP89cswdjoCpc8UzWL92++t2OmFEVMnh/WRQKtGIOiVJtXM6YshPu56nGQSMFB8EAIlZyr506r21E+Jgvxie8o',
  ],
] as const

test.each(ODD)('a root with a key of %s is refused, and the good one beside it as well', async (_, odd) => {
  const read = readBundle(bundle(await usual('good'), odd))
  expect(read).toEqual({ ok: false, problem: 'keys[1].x5c holds a certificate of a kind that not every proxy reads' })
})

test('a root of tens of kilobytes is refused', async () => {
  expect(readBundle(bundle(await usual('x'.repeat(20_000))))).toMatchObject({ ok: false })
})

test('one of ours is taken', async () => {
  expect(readBundle(bundle(await usual('good')))).toMatchObject({ ok: true })
})
