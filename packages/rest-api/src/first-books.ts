import { idFor } from "./ids.ts";
import type { FirstBook } from "./store.ts";

const BOOKS: readonly Omit<FirstBook, "id">[] = [
  { title: "Frankenstein", author: "Mary Shelley", year: 1818, status: "read", rating: 4 },
  { title: "Emma", author: "Jane Austen", year: 1815, status: "read", rating: 4 },
  { title: "Jane Eyre", author: "Charlotte Brontë", year: 1847, status: "read", rating: 5 },
  { title: "Wuthering Heights", author: "Emily Brontë", year: 1847, status: "to read" },
  { title: "Moby-Dick", author: "Herman Melville", year: 1851, status: "reading", notes: "Stuck in the whales." },
  { title: "Walden", author: "Henry David Thoreau", year: 1854, status: "to read" },
  { title: "Madame Bovary", author: "Gustave Flaubert", year: 1857, status: "read", rating: 4 },
  { title: "Les Misérables", author: "Victor Hugo", year: 1862, status: "to read" },
  { title: "Crime and Punishment", author: "Fyodor Dostoevsky", year: 1866, status: "read", rating: 5 },
  { title: "Middlemarch", author: "George Eliot", year: 1871, status: "reading", rating: 5, notes: "Lent to Ann." },
  { title: "Anna Karenina", author: "Leo Tolstoy", year: 1878, status: "read", rating: 5 },
  { title: "The Posthumous Memoirs of Brás Cubas", author: "Machado de Assis", year: 1881, status: "to read" },
  { title: "Adventures of Huckleberry Finn", author: "Mark Twain", year: 1884, status: "read", rating: 4 },
  { title: "Effi Briest", author: "Theodor Fontane", year: 1895, status: "to read" },
  { title: "Dracula", author: "Bram Stoker", year: 1897, status: "read", rating: 3 },
  { title: "Kokoro", author: "Natsume Sōseki", year: 1914, status: "to read" },
  { title: "The Metamorphosis", author: "Franz Kafka", year: 1915, status: "read", rating: 4 },
  { title: "My Ántonia", author: "Willa Cather", year: 1918, status: "to read" },
  { title: "Ulysses", author: "James Joyce", year: 1922, status: "to read", notes: "One day." },
  { title: "The Magic Mountain", author: "Thomas Mann", year: 1924, status: "reading" },
  { title: "The Great Gatsby", author: "F. Scott Fitzgerald", year: 1925, status: "read", rating: 4 },
  { title: "To the Lighthouse", author: "Virginia Woolf", year: 1927, status: "read", rating: 5 },
  { title: "Invisible Cities", author: "Italo Calvino", year: 1972, status: "read", rating: 5 },
  { title: "The Left Hand of Darkness", author: "Ursula K. Le Guin", year: 1969, status: "to read" },
];

/** What a new database begins with, so that there is something to look at. */
export const FIRST_BOOKS: readonly FirstBook[] = BOOKS.map((book) => ({ id: idFor(book.title, false), ...book }));
