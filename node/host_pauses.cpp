// SPDX-License-Identifier: Apache-2.0
#include "node/host_pauses.hpp"

namespace forkfleet {

void host_pauses::learn(const pause_kind& kind, const pause_sample& sample) {
  const std::lock_guard lock{mutex_};
  history_.learn(kind, sample);
}

std::optional<pause_prediction> host_pauses::predict(const pause_kind& kind,
                                                     uint64_t bytes) const {
  const std::lock_guard lock{mutex_};
  return history_.predict(kind, bytes);
}

} // namespace forkfleet
