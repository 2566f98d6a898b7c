// SPDX-License-Identifier: Apache-2.0
// Named places where tests and drills break a node: between two steps of a
// seal, before a stage. Does nothing unless it is asked to. Knows no CAF.
#pragma once

#include <string_view>

#include "actors/error.hpp"

namespace forkfleet {

/// The environment variable that names the one fault to bring:
/// `kill:PLACE` (SIGKILL to this process), `stop:PLACE` (SIGSTOP), or
/// `fail:PLACE` (io_failed).
inline constexpr const char* fault_variable = "FORKFLEET_FAULT";

/// A place that faults can name, such as `seal.renamed`: what was done just
/// before it. Returns success unless the environment says `fail:` and this
/// place. Reads the environment only; cheap enough for the pause window.
status fault_point(std::string_view place);

} // namespace forkfleet
