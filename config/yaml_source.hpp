// SPDX-License-Identifier: Apache-2.0
// A YAML text and where its bytes stand. The only header with yaml-cpp in it;
// for this folder's own sources.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include <yaml-cpp/yaml.h>

#include "config/problem_list.hpp"

namespace forkfleet::config {

/// Turns yaml-cpp's marks, which count bytes, to places. The text must
/// outlive it.
class yaml_source {
public:
  explicit yaml_source(std::string_view text);

  place at(const YAML::Mark& mark) const;

  /// Where the element with this mark begins. The mark of one without a value
  /// is that of whatever comes next.
  place of_element(const YAML::Node& element) const;

  /// True for a quote at `mark` that is never closed. yaml-cpp takes the end
  /// of the file for its end.
  bool is_unclosed_quote(const YAML::Mark& mark) const;

  /// The one document of the text, a map; or nothing, and why.
  std::optional<YAML::Node> parse(problem_list& problems) const;

private:
  place at_offset(std::size_t offset) const;
  std::size_t offset_of(const YAML::Mark& mark) const;
  std::optional<YAML::Node> parse_documents(problem_list& problems) const;
  void explain(const YAML::Exception& error, problem_list& problems) const;

  std::string_view text_;
  std::size_t order_mark_ = 0;                  // bytes of the byte order mark
  std::vector<std::size_t> lines_ = {};         // where each line begins
  std::vector<std::size_t> continuations_ = {}; // bytes inside characters
};

} // namespace forkfleet::config
