// SPDX-License-Identifier: Apache-2.0
// Which capture method a plan gets, and why not a better one. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "actors/error.hpp"
#include "node/vmm.hpp"

namespace forkfleet::qemu {

/// The methods, best first.
enum class method_kind : uint8_t {
  tracked,
  page_map,
  background,
  stopped_copy,
  stopped_send,
};

/// How many there are.
inline constexpr std::size_t method_kinds = 5;

/// Their names in reports.
std::string_view name_of(method_kind x);

/// What a VM allows. An obstacle says why not; empty: it is to be had.
struct method_facts {
  std::string tracking_obstacle = {};
  std::string page_map_obstacle = {};
  std::string background_obstacle = {};
  std::string read_obstacle = {};
  std::string since = {}; // the root hash that changes are known against
  /// By method_kind: what of this VM it would not capture.
  std::array<std::string, method_kinds> missed = {};
  /// Why no snapshot of this VM could be restored, with the remedy.
  std::string refusal = {};
};

/// A method, and why none before it.
struct method_choice {
  method_kind kind = method_kind::stopped_send;
  std::string reason = {}; // empty: it is the best
};

/// The first method of those that the plan's mode and scope allow, in their
/// order. unsupported when there is none, with all obstacles, and when no
/// snapshot could be restored.
expected<method_choice> choose_method(const method_facts& facts,
                                      branch_mode mode, capture_scope scope,
                                      const std::string& base_hash);

} // namespace forkfleet::qemu
