/** The built-in plugins: the static list that every runtime bundles. */
import type { Engine, Plugin } from "../core/plugin.ts";
import audit from "./audit.ts";
import generateShare from "./generate-share.ts";
import health from "./health.ts";
import hostInfo from "./host-info.ts";
import inFlightReq from "./in-flight-req.ts";
import init from "./init.ts";
import keyStatus from "./key-status.ts";
import kv1 from "./kv1.ts";
import metrics from "./metrics.ts";
import mounts from "./mounts.ts";
import rotate from "./rotate.ts";
import rotateConfig from "./rotate-config.ts";
import seal from "./seal.ts";
import token from "./token.ts";

export const plugins: readonly (Plugin | Engine)[] = [
  init,
  seal,
  health,
  keyStatus,
  generateShare,
  rotate,
  rotateConfig,
  mounts,
  token,
  audit,
  kv1,
  metrics,
  inFlightReq,
  hostInfo,
];
