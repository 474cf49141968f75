/** A book as the server tells it. */
export const BOOK = {
  id: "emma",
  title: "Emma",
  author: "Jane Austen",
  year: 1815,
  status: "read",
  rating: 4,
  version: 2,
  updatedAt: "2026-11-21T12:00:00.000Z",
};
