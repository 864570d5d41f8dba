// Preloaded into Azurite: its time is the local Azure's clock, its life is its parent's, and it starts quickly.
"use strict";

const fs = require("node:fs");
const { Module, createRequire } = require("node:module");
const path = require("node:path");

const file = fs.openSync(process.env.AZURITE_CLOCK_FILE, "r");
const offset = Buffer.alloc(8); // milliseconds, a little-endian double that the parent overwrites in place
const RealDate = Date;

function now() {
  fs.readSync(file, offset, 0, 8, 0);
  return RealDate.now() + offset.readDoubleLE(0);
}

globalThis.Date = new Proxy(RealDate, {
  apply: () => new RealDate(now()).toString(),
  construct: (target, values, newTarget) => Reflect.construct(target, values.length ? values : [now()], newTarget),
  get: (target, key) => (key === "now" ? now : Reflect.get(target, key)),
});

// The parent holds the other end of stdin: it closes when the parent stops us, and when it is killed.
process.stdin.on("end", () => process.exit(0)).resume();

// Azurite loads the client of its telemetry even where that is off: two thirds of what its start takes.
const azurite = createRequire(path.join(__dirname, "../../node_modules/azurite/package.json"));
const telemetry = new Module(azurite.resolve("applicationinsights"));
telemetry.loaded = true;
require.cache[telemetry.id] = telemetry;
