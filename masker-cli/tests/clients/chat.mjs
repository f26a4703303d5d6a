// The official Node client with nothing but its base URL changed.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

// The packages are below the target folder, away from this file.
const packages = createRequire(join(process.env.PACKAGES, 'package.json'));
const { default: OpenAI } = await import(pathToFileURL(packages.resolve('openai')).href);

const SAID = "I'm Ann Reed, call 415-555-0142 or mail ann.reed@example.com";
const messages = [{ role: 'system', content: 'Be kind.' }, { role: 'user', content: SAID }];
const parameters = { type: 'object', properties: { text: { type: 'string' } } };
const description = 'Books a visit for somebody such as Bob Stone.';
const tools = [{ type: 'function', function: { name: 'book', description, parameters } }];
const model = 'gpt-4o-mini';

async function joined(chunks) {
  let [content, args, name, finish] = ['', '', null, null];
  for await (const { choices } of chunks) {
    for (const { delta, finish_reason: reason } of choices) {
      content += delta.content ?? '';
      for (const call of delta.tool_calls ?? []) {
        name = call.function?.name ?? name;
        args += call.function?.arguments ?? '';
      }
      finish = reason ?? finish;
    }
  }
  return { content, args, name, finish };
}

async function check(client, headers) {
  const ask = (body, options) => client.chat.completions.create({ model, messages, ...body }, options);
  const whole = (await ask({})).choices[0];
  assert.equal(whole.message.content, `Echo: ${SAID}`);
  const streamed = await joined(await ask({ stream: true }));
  assert.deepEqual([streamed.content, streamed.finish], [whole.message.content, whole.finish_reason]);
  const called = (await ask({ tools }, { headers })).choices[0].message.tool_calls[0].function;
  assert.deepEqual([called.name, JSON.parse(called.arguments)], ['book', { text: SAID }]);
  const calls = await joined(await ask({ tools, stream: true }, { headers }));
  assert.deepEqual(calls, { content: '', args: called.arguments, name: 'book', finish: 'tool_calls' });
  const final = await client.chat.completions.stream({ model, messages }).finalContent();
  assert.equal(final, `Echo: ${SAID}`);
}

const options = { apiKey: 'sk-client', maxRetries: 0 };
await check(new OpenAI({ baseURL: process.env.STUB, ...options }), { 'Masker-Stub': 'tool=1,chunk_bytes=5' });
await check(new OpenAI({ baseURL: process.env.UPSTREAM, ...options }), {});
console.log('node: ok');
