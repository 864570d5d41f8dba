// What Microsoft's language service reads in KQL string literals: [literal] gives [value], null for what is none, or more
// than one.
require("@kusto/language-service-next/bridge.min.js");
require("@kusto/language-service-next/Kusto.Language.Bridge.min.js");

const { Syntax } = Kusto.Language;
module.exports = (literals) => literals.map((literal) => {
  const code = Kusto.Language.KustoCode.ParseAndAnalyze(`print ${literal}`);
  if (code.GetDiagnostics().Count) return null;
  const found = [];
  (function walk(node) {
    if (Bridge.is(node, Syntax.LiteralExpression)) found.push(node.LiteralValue);
    for (let at = 0; at < node.ChildCount; at++) if (node.GetChild(at)) walk(node.GetChild(at));
  })(code.Syntax);
  return found.length === 1 ? found[0] : null;
});
