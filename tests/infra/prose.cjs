// Where KQL goes by prose, by Microsoft's own parser. {"tables": {name: "(column:type, ...)"}, "queries": {name: text},
// "columns": [name], "fixed": {column: [word]}} gives {name: [what goes by it]}.
//
// A column of prose, and whatever is made of it, may be shown: projected, renamed, sorted, grouped by, kept by an
// aggregate. Any other use goes by it. `fixed` are columns in which `has` may look for one of these words.
require("@kusto/language-service-next/bridge.min.js");
require("@kusto/language-service-next/Kusto.Language.Bridge.min.js");

const { Syntax } = Kusto.Language;
const SHOWN_BY = new Set([
  "ProjectOperator", "ProjectAwayOperator", "ProjectKeepOperator", "ProjectReorderOperator", "ProjectRenameOperator",
  "ExtendOperator", "DistinctOperator", "SortOperator", "SummarizeByClause",
]);
const KEPT_BY = new Set(["arg_max", "arg_min", "take_any", "make_set", "make_list"]);
const WRAPS = new Set(["List", "SeparatedElement", "SimpleNamedExpression", "OrderedExpression", "ParenthesizedExpression"]);
// These look into every column, whatever its name.
const EVERYWHERE = new Set(["SearchOperator", "FindOperator", "ParseKvOperator", "EvaluateOperator"]);
const PACKS = new Set(["pack_all", "column_ifexists", "columnifexists"]);

const KINDS = Object.fromEntries(Object.entries(Syntax.SyntaxKind).filter(([, n]) => Number.isInteger(n)).map(([name, n]) => [n, name]));
const kind = (node) => KINDS[node.Kind];
const named = (name, prose) => [...prose].some((one) => new RegExp(`(^|_)${one}\\d*$`).test(name));

function* below(node) {
  yield node;
  for (let at = 0; at < node.ChildCount; at++) {
    const child = node.GetChild(at);
    if (child) yield* below(child);
  }
}

const names = (node) => [...below(node)].filter((one) => kind(one) === "NameReference").map((one) => one.SimpleName);

function called(node) {
  return kind(node) === "FunctionCallExpression" ? node.Name.SimpleName : null;
}

// The columns of prose, and those that are made of them under another name.
function tainted(root, columns) {
  const prose = new Set(columns);
  for (let before = -1; before !== prose.size; ) {
    before = prose.size;
    for (const one of below(root)) {
      const lets = kind(one) === "LetStatement" && kind(one.Expression) !== "PipeExpression";
      if ((lets || kind(one) === "SimpleNamedExpression") && names(one.Expression).some((name) => named(name, prose))) prose.add(one.Name.SimpleName);
    }
  }
  return prose;
}

function isShown(name) {
  let node = name.Parent;
  while (node) {
    if (SHOWN_BY.has(kind(node))) return true;
    if (KEPT_BY.has(called(node))) node = node.Parent;
    else if (kind(node) === "SummarizeOperator") return true;
    else if (WRAPS.has(kind(node)) || kind(node) === "ExpressionList") node = node.Parent;
    else return false;
  }
  return false;
}

function isFixed(name, fixed) {
  const of = name.Parent;
  return kind(of) === "HasExpression" && of.Left === name && (fixed[name.SimpleName] ?? []).includes(of.Right.LiteralValue);
}

function uses(root, code, { columns, fixed }) {
  const written = (node) => code.slice(node.TextStart, node.End);
  const prose = tainted(root, columns), found = [];
  for (const one of below(root)) {
    const text = written(one);
    if (EVERYWHERE.has(kind(one))) found.push(text);
    else if (kind(one) === "StarExpression" && !["ExpressionList", "SeparatedElement"].includes(kind(one.Parent))) found.push(text);
    else if (called(one) === "pack_all") found.push(text);
    else if (PACKS.has(called(one)) && columns.some((column) => text.includes(column))) found.push(text);
    else if (kind(one) === "NameReference" && named(one.SimpleName, prose) && !isShown(one) && !isFixed(one, fixed)) found.push(written(one.Parent));
  }
  return [...new Set(found)];
}

module.exports = (given) => {
  const symbols = Object.entries(given.tables).map(([name, columns]) => new Kusto.Language.Symbols.TableSymbol.$ctor7(name, columns, null));
  const globals = Kusto.Language.GlobalState.Default.WithDatabase(new Kusto.Language.Symbols.DatabaseSymbol.ctor("audit", symbols));
  const answer = {};
  for (const [name, text] of Object.entries(given.queries)) {
    answer[name] = uses(Kusto.Language.KustoCode.ParseAndAnalyze(text, globals).Syntax, text, given);
  }
  return answer;
};
