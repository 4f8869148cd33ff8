import * as openid from "openid-client";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { answerRequests } from "./json_lines.mjs";

function configuration({ server, client_id, client_secret }) {
  const metadata = {
    issuer: server,
    authorization_endpoint: `${server}/authorize`,
    token_endpoint: `${server}/token`,
  };
  const authentication = client_secret ? openid.ClientSecretBasic(client_secret) : openid.None();
  const made = new openid.Configuration(metadata, client_id, {}, authentication);
  openid.allowInsecureRequests(made);
  return made;
}

const operations = {
  async begin({ redirect_uri, scope, ...given }) {
    const verifier = openid.randomPKCECodeVerifier();
    const state = openid.randomState();
    const url = openid.buildAuthorizationUrl(configuration(given), {
      redirect_uri,
      scope,
      state,
      code_challenge: await openid.calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
    });
    return { url: url.href, state, verifier };
  },
  // It takes the redirect URI from the address that the browser came back to.
  exchange: ({ callback, state, verifier, ...given }) =>
    openid.authorizationCodeGrant(configuration(given), new URL(callback), {
      expectedState: state,
      pkceCodeVerifier: verifier,
    }),
  refresh: ({ refresh_token, ...given }) => openid.refreshTokenGrant(configuration(given), refresh_token),
  async read({ url, access_token, ...given }) {
    const answer = await openid.fetchProtectedResource(configuration(given), access_token, new URL(url), "GET");
    if (!answer.ok) throw Object.assign(new Error(answer.statusText), { response: answer });
    return await answer.json();
  },
  async verify({ keys, access_token, issuer, audience }) {
    const checked = await jwtVerify(access_token, createRemoteJWKSet(new URL(keys)), { issuer, audience });
    return { ...checked.protectedHeader, ...checked.payload };
  },
};

async function refusalOf(error) {
  // A refusal with a WWW-Authenticate header has a class of its own, and the answer is left unread.
  const answer = error.response;
  const body = answer && !answer.bodyUsed ? await answer.json().catch(() => ({})) : {};
  return { error: error.error ?? body.error ?? null, status: answer?.status ?? null };
}

await answerRequests(operations, refusalOf);
