// Microsoft's parser of KQL, loaded once. A line of stdin is [script, what it is given], a line of stdout what it gives.
const lines = require("readline").createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const [script, given] = JSON.parse(line);
  process.stdout.write(`${JSON.stringify(require(script)(given))}\n`);
});
