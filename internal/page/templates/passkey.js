(() => {
  "use strict";
  const form = document.querySelector("form[data-passkey]");
  if (!form || !window.PublicKeyCredential || !navigator.credentials) return;

  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const named = (list) => (list || []).map((c) => ({ ...c, id: bytes(c.id) }));

  // What the server wrote as JSON, as the platform wants it.
  const wrapped = JSON.parse(form.dataset.options);
  const options = { ...(wrapped.publicKey || wrapped) };
  options.challenge = bytes(options.challenge);
  if (options.user) options.user = { ...options.user, id: bytes(options.user.id) };
  if (options.excludeCredentials) options.excludeCredentials = named(options.excludeCredentials);
  if (options.allowCredentials) options.allowCredentials = named(options.allowCredentials);

  // What the platform made, as JSON (WebAuthn Level 3, §5.1.8).
  const written = (credential) => {
    const r = credential.response;
    const response = { clientDataJSON: text(r.clientDataJSON) };
    for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (r[name]) response[name] = text(r[name]);
    }
    if (r.getTransports) response.transports = r.getTransports();
    return JSON.stringify({
      id: credential.id, rawId: text(credential.rawId), type: credential.type, response,
      authenticatorAttachment: credential.authenticatorAttachment || undefined,
      clientExtensionResults: credential.getClientExtensionResults(),
    });
  };

  const flaw = form.querySelector("[role=alert]");
  const button = form.querySelector("button");
  let waiting; // the question that is open: there can be one at a time
  const ask = async (mediation) => {
    if (waiting) waiting.abort();
    const mine = waiting = new AbortController();
    const wish = { publicKey: options, signal: mine.signal };
    if (mediation) wish.mediation = mediation;
    const credential = await navigator.credentials[form.dataset.passkey](wish);
    form.elements.passkey.value = written(credential);
    HTMLFormElement.prototype.submit.call(form);
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    flaw.hidden = true;
    button.disabled = true;
    try {
      await ask();
    } catch {
      flaw.hidden = false;
      button.disabled = false;
      button.focus();
    }
  });
  for (const e of document.querySelectorAll("[data-unsupported]")) e.hidden = true;
  if ("button" in form.dataset) form.hidden = false;
  if ("autofill" in form.dataset && PublicKeyCredential.isConditionalMediationAvailable) {
    PublicKeyCredential.isConditionalMediationAvailable().then((can) => (can ? ask("conditional") : undefined)).catch(() => {});
  }
})();
