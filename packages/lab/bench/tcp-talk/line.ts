/** What is said: about what a person types. */
export const LINE = "a line of about thirty characters".slice(0, 32);
