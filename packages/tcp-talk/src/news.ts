/** What may happen in a talk beside what is said: the other side leaves without bye; it sends what is no UTF-8. */
export type News = "left" | "garbled";

/** One line for a log. @param who The other side's address. */
export function describeNews(news: News, who: string): string {
  return news === "left" ? `${who} left without bye` : `${who} sends what is no UTF-8: shown as \\xff`;
}
