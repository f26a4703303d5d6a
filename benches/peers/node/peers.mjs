// Times one Node package over the payloads, in a process of its own.
//
// peers.mjs NAME MODULES PAYLOADS SECONDS prints lines of name, version, payload, call, findings and seconds for the whole
// payload, tab-separated; the time of a call is the median of as many passes as fit into SECONDS. MODULES is the folder that
// the packages are loaded from.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';

const [which, modules, payloads, seconds] = process.argv.slice(2);
const load = createRequire(join(modules, 'index.js'));
const version = (name) => JSON.parse(readFileSync(join(modules, 'node_modules', name, 'package.json'), 'utf8')).version;

const makers = {
  masker() {
    const { Masker } = load('./index.js');
    const masker = new Masker();
    const known = JSON.parse(readFileSync(join(modules, 'package.json'), 'utf8')).version;
    const detect = (text) => masker.detectSync(text);
    const redact = (text) => masker.maskSync(text).text;
    return { name: 'masker (Node)', known, detect, count: (text) => detect(text).length, redact };
  },
  'redact-pii'() {
    const { SyncRedactor } = load('redact-pii');
    const redactor = new SyncRedactor();
    const redact = (text) => redactor.redact(text);
    // It has no call that only finds; what it put in place of a text is counted.
    const marks = /\b(PERSON_NAME|EMAIL_ADDRESS|PHONE_NUMBER|STREET_ADDRESS|US_SOCIAL_SECURITY_NUMBER|CREDIT_CARD_NUMBER|IP_ADDRESS|ZIPCODE|URL|DIGITS|USERNAME|PASSWORD|CREDENTIALS)\b/g;
    const count = (text) => (redact(text).match(marks) ?? []).length;
    return { name: 'redact-pii', known: version('redact-pii'), count, redact };
  },
};

function medianPass(texts, work) {
  const times = [];
  const begun = performance.now();
  while (times.length === 0 || performance.now() - begun < Number(seconds) * 1e3) {
    const started = performance.now();
    for (const text of texts) work(text);
    times.push((performance.now() - started) / 1e3);
  }
  times.sort((a, b) => a - b);
  return times[times.length >> 1];
}

const { name, known, detect, count, redact } = makers[which]();
for (const line of readFileSync(payloads, 'utf8').trim().split('\n')) {
  const { name: payload, texts } = JSON.parse(line);
  const findings = texts.reduce((sum, text) => sum + count(text), 0);
  for (const [call, work] of [['detect', detect], ['mask', redact]]) {
    if (work) console.log([name, known, payload, call, findings, medianPass(texts, work).toExponential()].join('\t'));
  }
}
