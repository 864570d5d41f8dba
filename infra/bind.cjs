// Parses and binds KQL with Microsoft's language service. stdin: {"tables": {name: "(column:type, ...)"}, "queries":
// {name: text}}; stdout: {name: [what is wrong]}, for those queries with which something is.
require("@kusto/language-service-next/bridge.min.js");
require("@kusto/language-service-next/Kusto.Language.Bridge.min.js");

module.exports = ({ tables, queries }) => {
  const symbols = Object.entries(tables).map(([name, columns]) => new Kusto.Language.Symbols.TableSymbol.$ctor7(name, columns, null));
  const database = new Kusto.Language.Symbols.DatabaseSymbol.ctor("audit", symbols);
  const globals = Kusto.Language.GlobalState.Default.WithDatabase(database);

  const wrong = {};
  for (const [name, text] of Object.entries(queries)) {
    const found = Kusto.Language.KustoCode.ParseAndAnalyze(text, globals).GetDiagnostics();
    for (let at = 0; at < found.Count; at++) {
      const one = found.getItem(at);
      if (one.Severity !== "Suggestion") (wrong[name] ??= []).push(`${one.Code}: ${one.Message}`);
    }
  }
  return wrong;
};

if (require.main === module) {
  process.stdout.write(JSON.stringify(module.exports(JSON.parse(require("fs").readFileSync(0, "utf-8")))));
}
