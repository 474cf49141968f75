/** What the server can be asked. A refusal is thrown as it came: a problem (RFC 9457) with its `status`. */

/** One page of books. @param {Record<string, string>} query */
export const listBooks = (query) => ask("GET", `/books?${new URLSearchParams(query)}`);

/** A book as it is now. */
export const getBook = (id) => ask("GET", urlOf(id));

/** A new book under an id that the server chooses. */
export const createBook = (draft) => ask("POST", "/books", draft);

/** A book under its old id; refused with 412 when there is one. */
export const restoreBook = (id, draft) => ask("PUT", urlOf(id), draft, { "if-none-match": "*" });

/** The book with these changes; refused with 412 when it is not of this version any more. */
export const changeBook = ({ id, version }, patch) => ask("PATCH", urlOf(id), patch, { "if-match": `"${version}"` });

/** Gone; refused with 412 when it is not of this version any more. */
export const removeBook = ({ id, version }) => ask("DELETE", urlOf(id), undefined, { "if-match": `"${version}"` });

async function ask(method, url, body, headers = {}) {
  const type = method === "PATCH" ? "application/merge-patch+json" : "application/json";
  const response = await fetch(url, {
    method,
    headers: body === undefined ? headers : { ...headers, "content-type": type },
    body: body === undefined ? undefined : JSON.stringify(body),
  }).catch(() => {
    throw { status: 0, detail: "The server does not answer. Is it running?" };
  });
  if (response.status === 204) return undefined;
  const answer = await response.json().catch(() => ({ detail: `The server answered with ${response.status}` }));
  if (response.ok) return answer;
  throw { ...answer, status: response.status };
}

function urlOf(id) {
  return `/books/${encodeURIComponent(id)}`;
}
