// The bearer token for a server that is bound off loopback. It lives as long as the tab and is sent to this origin only.
const key = "jarvis.token";

export function token(): string {
  return sessionStorage.getItem(key) ?? "";
}

export function setToken(value: string): void {
  if (value) sessionStorage.setItem(key, value);
  else sessionStorage.removeItem(key);
}

export function authorization(): Record<string, string> {
  const value = token();
  return value ? { Authorization: `Bearer ${value}` } : {};
}
