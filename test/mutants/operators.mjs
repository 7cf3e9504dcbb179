// How a line of source is broken: small changes found by operators over its text, in the ways in which people get it wrong.

/** The text with comments, strings and the words of templates blanked out, so that what is left is code at the same positions. */
export function codeOf(text) {
  const code = [...text];
  const templates = []; // brace depths at which a template goes on
  let depth = 0;
  const blank = (from, to) => {
    for (let i = from; i < to; i++) if (code[i] !== "\n") code[i] = " ";
  };
  /** Blanks a string that starts at i, or a template's words up to its next value; where it ends. */
  const words = (i, quote) => {
    let end = i;
    while (end < text.length && text[end] !== quote && !(quote === "`" && text.startsWith("${", end)))
      end += text[end] === "\\" ? 2 : 1;
    blank(i, end);
    if (quote !== "`" || text[end] === "`") return end + 1;
    templates.push(depth++);
    return end + 2;
  };
  for (let i = 0; i < text.length; ) {
    const c = text[i];
    if (text.startsWith("//", i) || text.startsWith("/*", i)) {
      const close = text[i + 1] === "/" ? text.indexOf("\n", i) : text.indexOf("*/", i) + 2;
      blank(i, close);
      i = close;
    } else if (c === '"' || c === "`") i = words(i + 1, c);
    else if (c === "}" && templates.at(-1) === depth - 1) {
      depth = templates.pop();
      i = words(i + 1, "`");
    } else {
      if (c === "{") depth++;
      if (c === "}") depth--;
      i++;
    }
  }
  return code.join("");
}

const opening = "([{";
const closing = ")]}";

/** Where the operand that ends at a position begins: after a bracket that it does not close, or one of the words. */
function startOf(code, end, words) {
  let depth = 0;
  for (let i = end; i > 0; i--) {
    if (closing.includes(code[i - 1])) depth++;
    else if (opening.includes(code[i - 1]) && depth-- === 0) return i;
    if (depth === 0 && words.some((w) => code.startsWith(w, i - w.length))) return i;
  }
  return 0;
}

function endOf(code, start, words) {
  let depth = 0;
  for (let i = start; i < code.length; i++) {
    if (depth === 0 && words.some((w) => code.startsWith(w, i))) return i;
    if (opening.includes(code[i])) depth++;
    else if (closing.includes(code[i]) && depth-- === 0) return i;
  }
  return code.length;
}

const before = ["=> ", "=>\n", " = ", "return ", ", ", ";", " ? ", ": ", "...", "\n\n"];
const after = [",", ";", " ? ", " : ", "\n  }"];

/** Words that stand for one another. */
const swaps = {
  compare: { " < ": " <= ", " <= ": " < ", " > ": " >= ", " >= ": " > " },
  arithmetic: { " + ": " - ", " - ": " + ", " * ": " / ", " / ": " * ", " % ": " / ", " += ": " -= ", " -= ": " += " },
  extreme: {
    "Math.max(": "Math.min(",
    "Math.min(": "Math.max(",
    "Math.ceil(": "Math.floor(",
    "Math.floor(": "Math.ceil(",
  },
  quantifier: { ".every(": ".some(", ".some(": ".every(" },
  method: {
    ".mul(": ".div(",
    ".div(": ".mul(",
    ".add(": ".sub(",
    ".sub(": ".add(",
    ".sin(": ".cos(",
    ".cos(": ".sin(",
    ".neg()": "",
    ".transpose()": "",
    "first(t)": "second(t)",
    "second(t)": "first(t)",
    ".reverse()": "",
  },
};

const places = (code, word) => {
  const found = [];
  for (let i = code.indexOf(word); i >= 0; i = code.indexOf(word, i + 1)) found.push(i);
  return found;
};

/** Changes of a text: from, to, what stands there instead, and by which operator. */
const operators = {
  *swap(code) {
    for (const [name, table] of Object.entries(swaps))
      for (const [word, other] of Object.entries(table))
        for (const at of places(code, word)) yield [at, at + word.length, other, name];
  },
  /** Off by one: 0 and 1 upwards, others downwards. */
  *constant(code) {
    for (const m of code.matchAll(/(?<![\w.$#|] ?)(?<!\| )\d[\d_]*(?![\w.]| \|)/g)) {
      const value = Number(m[0].replaceAll("_", ""));
      yield [m.index, m.index + m[0].length, String(value > 1 ? value - 1 : value + 1), "constant"];
    }
  },
  *sign(code) {
    for (const m of code.matchAll(/(?<=[([,=?:] ?|[([])[-!](?=[a-z\d(\w#])/g)) yield [m.index, m.index + 1, "", "sign"];
  },
  /** A condition that always holds, or never. */
  *condition(code) {
    for (const m of code.matchAll(/\b(?:if|while) \(/g)) {
      const from = m.index + m[0].length;
      const to = endOf(code, from, []);
      yield [from, to, "false", "condition"];
      if (m[0].startsWith("if")) yield [from, to, "true", "condition"];
    }
    for (const m of code.matchAll(/\s\? /g)) {
      const from = startOf(code, m.index, before);
      for (const value of ["true", "false"]) yield [from, m.index, value, "condition"];
    }
  },
  /** A condition with a part left out. */
  *part(code) {
    for (const [word, neutral] of [
      ["&&", "true"],
      ["||", "false"],
    ]) {
      const looser = word === "&&" ? ["&&", "||", "??"] : ["||", "??"];
      for (const at of places(code, word)) {
        const from = startOf(code, at, [...before, ...looser.map((w) => `${w} `)]);
        yield [from, at - 1, neutral, "part"];
        yield [at + 3, endOf(code, at + 3, [...after, ...looser.map((w) => ` ${w}`)]), neutral, "part"];
      }
    }
  },
  /** A statement left out. */
  *statement(code) {
    const other =
      /^(if|else|for|while|return|const|let|throw|import|export|type|readonly|static|yield|[).:}]|#?\w+\??:)/;
    const count = (line, brackets) => [...line].filter((c) => brackets.includes(c)).length;
    // what follows an unfinished line is part of an expression
    for (const m of code.matchAll(/(?<=[;{})]\s*\n) +(\S.*;)[ ]*$/gm)) {
      const statement = m[1];
      const from = m.index + m[0].indexOf(statement);
      const whole = count(statement, opening) === count(statement, closing);
      if (whole && !other.test(statement)) yield [from, from + statement.length, ";", "statement"];
    }
  },
  /** A rule of a switch that is not found. */
  *rule(code, text) {
    for (const m of text.matchAll(/case "\w+":/g))
      if (code.startsWith("case", m.index)) yield [m.index, m.index + m[0].length, 'case "no rule":', "rule"];
  },
};

/** Every change of a text that the operators know, each once. */
export function changesOf(text) {
  const code = codeOf(text);
  const seen = new Set();
  const found = [];
  for (const operator of Object.values(operators)) {
    for (const [from, to, by, name] of operator(code, text)) {
      const key = `${from} ${to} ${by}`;
      if (seen.has(key) || text.slice(from, to).trim() === by || from >= to) continue;
      seen.add(key);
      found.push({ from, to, by, name });
    }
  }
  return found.sort((a, b) => a.from - b.from || a.to - b.to);
}
