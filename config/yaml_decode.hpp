// SPDX-License-Identifier: Apache-2.0
// YAML to structs with a field table. Strict, and every problem has its
// place. Knows no CAF.
#pragma once

#include <string_view>

#include "actors/schema/shape.hpp"
#include "config/load.hpp"
#include "config/problem_list.hpp"

namespace forkfleet::config {

/// The most elements of one list.
inline constexpr std::size_t list_length_max = 10'000;

/// The most bytes that all values may have, each alias counted where it is
/// used.
inline constexpr std::size_t decoded_bytes_max = 16 * 1024 * 1024;

/// Sets in `x`, which is of the type that `shape` describes, what `text`
/// gives. Returns where each value stands.
place_map decode_yaml(std::string_view text, const schema::type_shape& shape,
                      void* x, const environment& env, problem_list& problems);

} // namespace forkfleet::config
