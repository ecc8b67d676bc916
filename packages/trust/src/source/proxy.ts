/** Through the proxy that this process was told of, as other programs are: http_proxy, https_proxy and no_proxy, in small letters or capitals. */

type Fetch = (url: URL, asked: RequestInit) => Promise<Response>;

const VARIABLES = ["http_proxy", "https_proxy"] as const;

/**
 * @param proxy for all that no_proxy does not except, in place of those of the environment
 * @returns Node's own, or undici's, which is the same that can do it
 */
export async function fetching(proxy: string | undefined): Promise<Fetch> {
  const isTold = VARIABLES.some((name) => (process.env[name] || process.env[name.toUpperCase()] || "") !== "");
  if (proxy === undefined && !isTold) return fetch;
  // Loaded where it is needed.
  const { EnvHttpProxyAgent, fetch: through } = await import("undici");
  const given = proxy === undefined ? {} : { httpProxy: proxy, httpsProxy: proxy };
  // What is no https is asked of the proxy itself: many let nobody through to other ports than 443.
  const dispatcher = new EnvHttpProxyAgent({ ...given, proxyTunnel: false });
  return (url, { signal, headers, method = "GET", body, redirect = "follow" }) =>
    through(url, {
      dispatcher,
      method,
      redirect,
      ...(signal ? { signal } : {}),
      ...(typeof body === "string" ? { body } : {}),
      headers: headers as Record<string, string>,
    }) as Promise<Response>;
}
