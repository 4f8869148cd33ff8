import { createHash, randomBytes } from "node:crypto";
import { AuthorizationCode } from "simple-oauth2";
import { answerRequests } from "./json_lines.mjs";

function clientOf({ server, client_id, client_secret }) {
  const { origin, pathname } = new URL(server);
  return new AuthorizationCode({
    client: { id: client_id, secret: client_secret },
    auth: { tokenHost: origin, tokenPath: `${pathname}/token`, authorizePath: `${pathname}/authorize` },
  });
}

class Unauthorized extends Error {}

const operations = {
  // Of PKCE and state it knows nothing, but sends what it is given.
  begin({ redirect_uri, scope, ...given }) {
    const verifier = randomBytes(32).toString("base64url");
    const state = randomBytes(16).toString("base64url");
    const code_challenge = createHash("sha256").update(verifier).digest("base64url");
    const url = clientOf(given).authorizeURL({
      redirect_uri,
      scope,
      state,
      code_challenge,
      code_challenge_method: "S256",
    });
    return { url, state, verifier };
  },
  async exchange({ callback, verifier, ...given }) {
    const came_back = new URL(callback);
    const denied = came_back.searchParams.get("error");
    if (denied) throw Object.assign(new Error(denied), { denied });
    const code = came_back.searchParams.get("code");
    const redirect_uri = `${came_back.origin}${came_back.pathname}`;
    return (await clientOf(given).getToken({ code, redirect_uri, code_verifier: verifier })).token;
  },
  refresh: async ({ refresh_token, ...given }) =>
    (await clientOf(given).createToken({ refresh_token }).refresh()).token,
  // It has no calls to the API.
  async read({ url, access_token }) {
    const answer = await fetch(url, { headers: { Authorization: `Bearer ${access_token}` } });
    if (!answer.ok) throw Object.assign(new Unauthorized(answer.statusText), { status: answer.status });
    return await answer.json();
  },
};

const refusalOf = (error) => ({
  error: error.denied ?? error.data?.payload?.error ?? null,
  status: error.status ?? error.output?.statusCode ?? null,
});

await answerRequests(operations, refusalOf);
