/**
 * Says when anything has changed, here or in another window, by server-sent events. The browser connects again by
 * itself and tells the server what it has seen last.
 *
 * @param {{ onChange(change: object): void, onReset(): void, onState(isLive: boolean): void }} listener
 */
export function followChanges({ onChange, onReset, onState }) {
  const source = new EventSource("/changes");
  source.addEventListener("change", ({ data }) => onChange(JSON.parse(data)));
  // From now on all is told; what happened before is in the list that is fetched now.
  source.addEventListener("ready", onReset);
  source.addEventListener("reset", onReset);
  source.onopen = () => onState(true);
  source.onerror = () => {
    onState(false);
    // Refused, as by a server with too many followers: the browser gives up, we do not.
    if (source.readyState === EventSource.CLOSED) {
      setTimeout(() => followChanges({ onChange, onReset, onState }), 5_000);
    }
  };
}
