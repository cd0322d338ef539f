// LiquidJS, for internal/liquid to be compared with. A JSON array of
// {"template":"…","vars":{…}} comes in, an array of {"text":"…"} or
// {"error":"…"} goes out, in that order.
import { readFileSync } from 'node:fs';
import { Liquid } from 'liquidjs';

const engine = new Liquid({ locale: 'en-US' });
const cases = JSON.parse(readFileSync(0, 'utf8'));
console.log(JSON.stringify(cases.map(({ template, vars }) => {
  try {
    return { text: engine.parseAndRenderSync(template, vars) };
  } catch (err) {
    return { error: err.message };
  }
})));
