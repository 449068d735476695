/** The path of a mount or device as it is kept: it ends in "/", whether or not the request's does. */
export function folder(path = ""): string {
  return path.endsWith("/") ? path : `${path}/`;
}
