// SPDX-License-Identifier: Apache-2.0
// All that is wrong with one file, while it is being found. Knows no CAF.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "actors/schema/shape.hpp"
#include "config/load.hpp"

namespace forkfleet::config {

/// A place in a text. Both start at 1; columns count characters.
struct place {
  std::size_t line = 1;
  std::size_t column = 1;
};

/// The place of the byte at `offset` of `text`.
place place_of(std::string_view text, std::size_t offset);

/// Where each value of a file stands, by its path: sandboxes[2].memory.
using place_map = std::map<std::string, place, std::less<>>;

/// Where `path` stands, or else the nearest value around it.
place find_place(const place_map& places, std::string_view path);

/// Collects problems and puts them in order.
class problem_list {
public:
  /// `file` is named in each problem.
  explicit problem_list(std::string file) : file_{std::move(file)} {}

  /// Adds one. Nothing happens when `what` holds no fault.
  void add(const std::string& path, place where, const schema::fault& what);

  /// Whether there is one with just this path. Later checks of that value
  /// would only tell the same again.
  bool has(std::string_view path) const;

  bool empty() const { return problems_.empty(); }

  /// The first `problems_max` by their places.
  std::vector<problem> sorted() &&;

private:
  std::string file_;
  std::vector<problem> problems_ = {};
  std::set<std::string, std::less<>> paths_ = {};
};

} // namespace forkfleet::config
