// What the check programs for TLS share: the certificates, who is let in with which, and a user.

import { readFileSync } from "node:fs";
import { Redis } from "ioredis";
import { port, showsBlocked, waitUntil } from "./check.mjs";

export const tlsPort = Number(process.env.TLS_PORT);
export const user = { username: "worker", password: "a secret" };
export const large = Buffer.alloc(5_000_000, Buffer.from([...Array(256).keys()]));
// With each value of tls-auth-clients, what gets a client in: nothing (""), a certificate of the authority
// that the server knows, or one of another.
const admitted = { no: ["", "client", "stranger"], optional: ["", "client"], yes: ["client"] };
const rights = ["resetchannels", "~jobs:*", "+@list", "+@connection", "+info", "+acl|whoami"];

const read = (name) => readFileSync(`${process.env.CERTIFICATES}/${name}`);

// Without TLS, it works whatever is set.
export const admin = new Redis({ port });

/** What a client with this certificate has for TLS. */
export function certificates(given) {
  const own = given && { cert: read(`${given}.crt`), key: read(`${given}.key`) };
  return { ca: read("ca.crt"), ...own };
}

export async function reset() {
  await admin.flushall();
  await askClients("yes");
}

export async function askClients(whether) {
  await admin.config("SET", "tls-auth-clients", whether);
}

/** Tries all certificates with `attempt`, which fails where a client is refused. */
export async function admits(whether, attempt) {
  await askClients(whether);
  for (const given of admitted.no) {
    const outcome = await attempt(given).then(() => "admitted", (error) => `refused: ${error}`);
    const wanted = admitted[whether].includes(given) ? "admitted" : "refused";
    if (!outcome.startsWith(wanted)) throw new Error(`"${given}": ${outcome}, instead of ${wanted}`);
  }
}

export async function addUser() {
  await admin.acl("SETUSER", user.username, "reset", "on", `>${user.password}`, ...rights);
}

/** The server has another certificate while the function runs. */
export async function withServerCertificate(name, then) {
  await present(name);
  try {
    await then();
  } finally {
    await present("server");
  }
}

async function present(name) {
  const file = (kind) => `${process.env.CERTIFICATES}/${name}.${kind}`;
  await admin.config("SET", "tls-cert-file", file("crt"), "tls-key-file", file("key"));
}

export async function untilBlocked() {
  const blocked = async () => showsBlocked(await admin.client("LIST"));
  await waitUntil("a blocked client", blocked);
}

/** The protocol of the client with the name, as the server sees it. */
export async function protocolOf(name) {
  const lines = (await admin.client("LIST")).split("\n");
  return lines.find((line) => line.includes(` name=${name} `))?.match(/ resp=(\d)/)[1];
}
