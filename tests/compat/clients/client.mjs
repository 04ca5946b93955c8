// What the scripts beside this one share: their settings, requests, and clients that note what they hear.
// Each script is called with its settings as one JSON object, and prints what it has seen as another.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createRequire } from "node:module";

export const settings = JSON.parse(process.argv[2]);
/// Loads a package by its name.
export const require = createRequire(`${settings.packages}/`);
const { io } = require("socket.io-client");

const HEAR_MILLISECONDS = 10_000;

function late(what) {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`no ${what} in time`)), HEAR_MILLISECONDS).unref();
  });
}

/// Waits for something, but not for ever.
export function within(what, promise) {
  return Promise.race([promise, late(what)]);
}

/// What arrives, in order, whether somebody waits for it or not.
export class Heard {
  #events = [];
  #waiting = [];

  note(event) {
    const waiting = this.#waiting.shift();
    if (waiting) waiting(event);
    else this.#events.push(event);
  }

  next(what) {
    if (this.#events.length > 0) return Promise.resolve(this.#events.shift());
    return within(what, new Promise((resolve) => this.#waiting.push(resolve)));
  }

  get isEmpty() {
    return this.#events.length === 0;
  }
}

function open(path, token) {
  const { transports } = settings;
  return io(settings.url + path, { auth: { token }, transports, reconnection: false, forceNew: true });
}

/// A client of Socket.IO at an address, namespace included.
export class Client {
  static async connect(path, token) {
    const socket = open(path, token);
    const client = new Client(socket);
    await within("connect", once(socket, "connect"));
    const { engine } = socket.io;
    const last = settings.transports.at(-1);
    if (engine.transport.name !== last) await within("upgrade", once(engine, "upgrade"));
    assert.equal(engine.transport.name, last);
    return client;
  }

  /// The reason for which a client is not let in.
  static async refused(path, token) {
    const socket = open(path, token);
    const [error] = await within("refusal", once(socket, "connect_error"));
    socket.disconnect();
    return error.message;
  }

  #heard = new Heard();

  constructor(socket) {
    this.socket = socket;
    socket.onAny((...event) => this.#heard.note(event));
  }

  emit(event, payload) {
    this.socket.emit(event, payload);
  }

  /// The acknowledgement of an event.
  ask(event, payload) {
    return this.socket.timeout(HEAR_MILLISECONDS).emitWithAck(event, payload);
  }

  /// The one argument of the next event, which must be of this name.
  async expect(event) {
    const [name, ...args] = await this.#heard.next(event);
    assert.equal(name, event, `${name} ${JSON.stringify(args)}`);
    assert.equal(args.length, 1);
    return args[0];
  }

  end() {
    this.socket.disconnect();
    assert.ok(this.#heard.isEmpty, "something was heard that was not expected");
  }
}

/// The JSON of an answer, which must have this status.
export async function ask(method, path, token, body, status = 200) {
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json", Connection: "close" };
  const answer = await fetch(settings.url + path, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  assert.equal(answer.status, status, `${method} ${path}: ${text}`);
  return JSON.parse(text);
}

export { assert };
