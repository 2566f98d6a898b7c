// SPDX-License-Identifier: Apache-2.0
// ${NAME} inside scalars. Runs after parsing, so that a value cannot change
// the file's structure. Knows no CAF.
#pragma once

#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "actors/schema/shape.hpp"
#include "config/load.hpp"

namespace forkfleet::config {

/// The most characters that a scalar may have once all is replaced.
inline constexpr std::size_t replaced_length_max = 64 * 1024;

/// Replaces in `text`: `${NAME}` by the variable, which must be set;
/// `${NAME:-default}` by `default` where it is not set or empty;
/// `${NAME:?message}` likewise, but `message` is the fault; `$$` by a dollar.
/// Any other dollar is a fault. What was put in is not looked at again.
tl::expected<std::string, schema::fault> interpolate(std::string_view text,
                                                     const environment& env);

} // namespace forkfleet::config
