// A client of the broker for tests: requests as arrays of strings or bytes, replies of RESP2 and RESP3
// with texts as bytes.

import { connect } from "node:net";

export class ErrorReply extends Error {}

/** Encodes one request. */
function encode(words) {
  const parts = [Buffer.from(`*${words.length}\r\n`)];
  for (const word of words) {
    const bytes = Buffer.isBuffer(word) ? word : Buffer.from(String(word));
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n"));
  }
  return Buffer.concat(parts);
}

/** Reads one reply at `at`. Returns `[value, end]`, or undefined if it is incomplete. */
function parse(bytes, at) {
  const lineEnd = bytes.indexOf("\r\n", at);
  if (lineEnd < 0) return undefined;
  const type = String.fromCharCode(bytes[at]);
  const line = bytes.toString("latin1", at + 1, lineEnd);
  const after = lineEnd + 2;
  switch (type) {
    case "+":
      return [Buffer.from(line), after];
    case "-":
      return [new ErrorReply(line), after];
    case ":":
      return [Number(line), after];
    case ",":
      return [Number(line), after];
    case "_":
      return [null, after];
    case "#":
      return [line === "t", after];
    case "$":
    case "=": {
      if (line === "-1") return [null, after];
      const end = after + Number(line);
      if (bytes.length < end + 2) return undefined;
      return [bytes.subarray(after + (type === "=" ? 4 : 0), end), end + 2];
    }
    case "*":
    case "~":
    case ">":
      return parseMany(bytes, after, Number(line));
    case "%": {
      const parsed = parseMany(bytes, after, 2 * Number(line));
      if (!parsed) return undefined;
      const [flat, end] = parsed;
      const map = {};
      for (let i = 0; i < flat.length; i += 2) map[flat[i].toString()] = flat[i + 1];
      return [map, end];
    }
    default:
      throw new Error(`no reply begins with ${JSON.stringify(type)}`);
  }
}

function parseMany(bytes, at, count) {
  if (count < 0) return [null, at];
  const values = [];
  for (let i = 0; i < count; i += 1) {
    const parsed = parse(bytes, at);
    if (!parsed) return undefined;
    values.push(parsed[0]);
    at = parsed[1];
  }
  return [values, at];
}

export class Client {
  #socket;
  #unread = Buffer.alloc(0);
  #waiting = [];

  /** Connects to a port of this machine, with RESP3. */
  static async connect(port, ...auth) {
    const client = new Client();
    client.#socket = connect(port, "127.0.0.1");
    client.#socket.on("data", (data) => client.#take(data));
    client.#socket.on("error", (error) => client.#fail(error));
    client.#socket.on("close", () => client.#fail(new Error("the connection was closed")));
    await client.call("HELLO", "3", ...(auth.length > 0 ? ["AUTH", ...auth] : []));
    return client;
  }

  #take(data) {
    this.#unread = this.#unread.length > 0 ? Buffer.concat([this.#unread, data]) : data;
    let at = 0;
    for (let parsed; this.#waiting.length > 0 && at < this.#unread.length; at = parsed[1]) {
      parsed = parse(this.#unread, at);
      if (!parsed) break;
      const { resolve, reject } = this.#waiting.shift();
      if (parsed[0] instanceof ErrorReply) reject(parsed[0]);
      else resolve(parsed[0]);
    }
    this.#unread = this.#unread.subarray(at);
  }

  #fail(error) {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  /** Sends one request and returns its reply; an error reply is thrown. */
  call(...words) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#socket.write(encode(words));
    });
  }

  /** Closes the connection. What is still waiting fails. */
  close() {
    this.#socket.destroy();
  }
}
