#if Bridge
import Crypto
#endif
