// SPDX-License-Identifier: Apache-2.0
// Whether the kernel has the packet filter nf_tables at all, asked without the
// library, which ends its process where there is none. Knows no CAF.
#pragma once

#include "actors/error.hpp"

namespace forkfleet {

/// In the network namespace of the calling thread. unsupported: the kernel
/// has none, so that there is nothing of ours in it either; not_permitted
/// without CAP_NET_ADMIN; io_failed: not known.
status find_nf_tables();

} // namespace forkfleet
