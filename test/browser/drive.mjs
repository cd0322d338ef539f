// A browser that a test drives line by line: a command comes in as
// {"do":"fill","with":["#username","ada"]} on the standard input, its answer
// goes out as {"value":…} or {"error":"…"}. It ends with the standard input.
//
// Environment:
//   MANGROVE_TEST_CHROMIUM  path of Chromium; without it the one in the PATH
//   OPTIONS                 JSON: noScript, dark, locale, width, height
//
// Nothing outside this machine can be reached.
import { createInterface } from 'node:readline';
import { AxeBuilder } from '@axe-core/playwright';
import { chromium } from 'playwright-core';

const options = JSON.parse(process.env.OPTIONS || '{}');
const patience = 20_000; // milliseconds for anything that is waited for

const browser = await chromium.launch({
  executablePath: process.env.MANGROVE_TEST_CHROMIUM || '/usr/bin/chromium',
  args: ['--no-sandbox', '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost , EXCLUDE *.localhost , EXCLUDE 127.0.0.1'],
});
const context = await browser.newContext({
  ignoreHTTPSErrors: true, // servers of tests have a certificate of their own
  javaScriptEnabled: !options.noScript,
  colorScheme: options.dark ? 'dark' : 'light',
  reducedMotion: 'reduce', // what moves cannot be measured
  locale: options.locale || 'en-GB',
  viewport: { width: options.width || 1280, height: options.height || 800 },
});
context.setDefaultTimeout(patience);

let complaints = [];
let page; // the newest one
context.on('page', (p) => {
  page = p;
  p.on('console', (m) => {
    // The status of an answer is for the test to judge.
    const expected = m.text().startsWith('Failed to load resource: the server responded with a status of');
    if ((m.type() === 'error' || m.type() === 'warning') && !expected) complaints.push(m.text());
  });
  p.on('pageerror', (err) => complaints.push(String(err)));
});
page = await context.newPage();

// leave does what leads to another document and waits until that is loaded.
async function leave(act) {
  const arrived = page.waitForNavigation({ waitUntil: 'load' });
  await Promise.all([arrived, act()]);
  return page.url();
}

const plug = async (more) => {
  const cdp = await context.newCDPSession(page);
  await cdp.send('WebAuthn.enable');
  const options = { protocol: 'ctap2', automaticPresenceSimulation: true, ...more };
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', { options });
  return authenticatorId;
};

const commands = {
  goto: async (url) => (await page.goto(url))?.status() ?? 0,
  back: () => leave(() => page.goBack()),
  url: () => page.url(),
  waitURL: async (prefix) => {
    await page.waitForURL((u) => u.href.startsWith(prefix));
    return page.url();
  },
  fill: (selector, value) => page.fill(selector, value),
  check: (selector) => page.check(selector),
  click: (selector) => page.click(selector),
  follow: (selector) => leave(() => page.click(selector)),
  press: (key) => page.keyboard.press(key),
  wait: async (selector) => { await page.waitForSelector(selector); },
  count: (selector) => page.locator(selector).count(),
  text: (selector) => page.locator(selector).first().innerText(),
  value: (selector) => page.locator(selector).first().inputValue(),
  eval: (source) => page.evaluate(source),
  look: async (dark, width, height, forced) => {
    await page.emulateMedia({ colorScheme: dark ? 'dark' : 'light', forcedColors: forced ? 'active' : 'none', reducedMotion: 'reduce' });
    await page.setViewportSize({ width, height });
  },
  axe: async (rules) => {
    // To read the half megabyte of axe takes longer than to run it: once a page is enough.
    const there = await page.evaluate('!!window.axe');
    const axe = new AxeBuilder({ page, axeSource: there ? 'void 0' : undefined });
    axe.setLegacyMode(true); // which leaves other origins alone, and opens no second page
    const found = await (rules ? axe.withRules(rules) : axe).analyze();
    return found.violations.map((v) => ({ rule: v.id, help: v.help, where: v.nodes.map((n) => n.target.join(' ')), why: v.nodes[0].failureSummary }));
  },
  shot: async (path) => { await page.screenshot({ path, fullPage: true }); },
  complaints: () => complaints.splice(0),
  forget: () => context.clearCookies(),
  cookies: async () => (await context.cookies()).map(({ name, value, domain, path, httpOnly, secure, sameSite, expires }) => ({ name, value, domain, path, httpOnly, secure, sameSite, expires })),
  // A passkey provider that is in the device and says yes to everything.
  authenticator: () => plug({ transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true }),
  // A key without a PIN that somebody touches whenever it blinks.
  securityKey: () => plug({ transport: 'usb' }),
};

const answer = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
answer({ value: 'ready' });
for await (const line of createInterface({ input: process.stdin })) {
  const { do: name, with: args = [] } = JSON.parse(line);
  try {
    const value = await commands[name](...args);
    answer({ value: value ?? null });
  } catch (err) {
    answer({ error: `${name}: ${String(err.message ?? err).slice(0, 2000)}` });
  }
}
await browser.close();
