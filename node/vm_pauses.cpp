// SPDX-License-Identifier: Apache-2.0
#include "node/vm_pauses.hpp"

#include <string>

namespace forkfleet {

namespace {

std::string counted(uint64_t pauses, const char* whose) {
  return std::to_string(pauses) + (pauses == 1 ? " pause" : " pauses") + " of "
         + whose;
}

} // namespace

capture_forecast vm_pauses::forecast(const pause_kind& kind, uint64_t bytes,
                                     microseconds assumed) {
  auto result =
    capture_forecast{.residual_bytes = bytes, .is_due = own_.is_due(kind)};
  if (const auto own = own_.predict(kind, bytes)) {
    result.pause = own->pause;
    result.basis = counted(own->samples, "this VM");
  } else if (const auto host = host_ ? host_->predict(kind, bytes)
                                     : std::optional<pause_prediction>{}) {
    result.pause = host->pause;
    result.basis = counted(host->samples, "other VMs of this host");
  } else {
    result.pause = assumed;
    result.is_assumed = true;
    result.basis = "an assumption, as nothing like it was measured here yet";
  }
  last_ = kind;
  predicted_ = result.pause;
  return result;
}

void vm_pauses::learn(const pause_kind& kind, const pause_sample& sample) {
  own_.learn(kind, sample);
  if (host_)
    host_->learn(kind, sample);
}

void vm_pauses::begin() {
  if (!last_.method.empty())
    own_.begin(last_);
}

void vm_pauses::refused() {
  if (!last_.method.empty())
    own_.refused(last_, predicted_);
}

bool vm_pauses::knows(const pause_kind& kind) const {
  return own_.predict(kind, 0).has_value()
         || (host_ && host_->predict(kind, 0).has_value());
}

} // namespace forkfleet
