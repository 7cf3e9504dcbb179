// The valid names, and among them the one that was probably meant: what every "there is no …" message offers.

/** Letters to insert, delete, replace or swap with a neighbour to get from a to b (Damerau, 1964), case aside. */
export function editDistance(a: string, b: string): number {
  const [s, t] = [a.toLowerCase(), b.toLowerCase()];
  let before: number[] = [];
  let above = Array.from({ length: t.length + 1 }, (_, j) => j);
  for (let i = 1; i <= s.length; i++) {
    const row = [i];
    for (let j = 1; j <= t.length; j++) {
      row[j] = Math.min(above[j] + 1, row[j - 1] + 1, above[j - 1] + Number(s[i - 1] !== t[j - 1]));
      if (i > 1 && j > 1 && s[i - 1] === t[j - 2] && s[i - 2] === t[j - 1])
        row[j] = Math.min(row[j], before[j - 2] + 1);
    }
    [before, above] = [above, row];
  }
  return above[t.length];
}

/** The name with the least edit distance, the first at ties; none where that is more than a third of the longer word. */
export function nearest(word: string, names: readonly string[]): string | undefined {
  const distance = (name: string): number => editDistance(word, name);
  const letters = (text: string): number => text.replace(/^-+/, "").length;
  const close = names.filter((name) => distance(name) <= Math.max(letters(word), letters(name)) / 3);
  return close.sort((a, b) => distance(a) - distance(b))[0];
}

/** `there is no model "lenet"; did you mean lenet5? (there are lenet5, mlp)`; `there is no model "gpt"; there are lenet5, mlp`. */
export function noSuch(kind: string, word: string, names: readonly string[]): string {
  const meant = nearest(word, names);
  const all = `there are ${names.join(", ")}`;
  return `there is no ${kind} "${word}"; ${meant === undefined ? all : `did you mean ${meant}? (${all})`}`;
}
