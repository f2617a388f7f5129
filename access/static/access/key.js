import { enableCopying } from "../nola/lib/copy.js";

enableCopying();
