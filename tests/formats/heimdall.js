// Opens HDF files as Heimdall does, and compares the status it shows of each control with the verdict mailvet gave.
"use strict";
const fs = require("fs");
const { convertFile, convertFileContextual } = require("inspecjs");

// What Heimdall must show. Nothing but a pass may be shown as one.
const SHOWN = {
  pass: "Passed",
  fail: "Failed",
  unknown: "Profile Error",
  error: "Profile Error",
  manual: "Not Reviewed",
  "not-checked": "Not Reviewed",
  "not-applicable": "Not Applicable",
};

for (const path of process.argv.slice(2)) {
  const text = fs.readFileSync(path, "utf8");
  // The reader is generated from the schema and refuses what the schema refuses, but for ranges of numbers.
  const read = convertFile(text, true);
  if (!read["1_0_ExecJson"]) {
    throw new Error(`${path}: ${JSON.stringify(read.errors)}`);
  }
  let count = 0;
  for (const profile of convertFileContextual(text).contains) {
    for (const { hdf } of profile.contains) {
      const { id, impact, tags } = hdf.wraps;
      if (!(impact >= 0 && impact <= 1)) throw new Error(`${path}: ${id} has the impact ${impact}`);
      const expected = tags.verdict ? SHOWN[tags.verdict] : "Profile Error";
      if (hdf.status !== expected) throw new Error(`${path}: ${id} is ${tags.verdict}, shown as ${hdf.status}`);
      count += 1;
    }
  }
  const written = JSON.parse(text).profiles.reduce((sum, profile) => sum + profile.controls.length, 0);
  if (count !== written || count === 0) throw new Error(`${path}: ${written} controls written, ${count} shown`);
  console.log(`${path}: Heimdall reads ${count} controls`);
}
