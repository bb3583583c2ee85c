// Questions to the server, each with the token that stands in the address of the page.

const token = new URLSearchParams(location.search).get("token") ?? "";

export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

async function ask(path, query, options = {}) {
  const words = query ? "?" + new URLSearchParams(query) : "";
  const headers = { Authorization: `Bearer ${token}`, ...options.headers };
  const reply = await fetch(`api/${path}${words}`, { ...options, headers });
  if (reply.ok) return reply;
  const said = await reply.json().catch(() => ({ error: reply.statusText }));
  throw new Refused(reply.status, said.error);
}

export const json = async (path, query, options) => (await ask(path, query, options)).json();

export const post = (path, body) =>
  json(path, null, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });

export async function bytes(path) {
  const reply = await ask(path);
  return { buffer: await reply.arrayBuffer(), version: Number(reply.headers.get("X-Version")) };
}

export const blob = async (path) => (await ask(path)).blob();
