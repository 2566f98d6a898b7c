// SPDX-License-Identifier: Apache-2.0
// Where a benchmark keeps its results. Files are replaced whole, so that a
// run that is interrupted leaves what it had found until then. Knows no CAF.
#pragma once

#include <string>

#include "actors/error.hpp"

namespace forkfleet::bench {

/// A directory of results.
class results_folder {
public:
  /// Makes it, with its parents. What lies there is replaced.
  static expected<results_folder> open(const std::string& path);

  /// Replaces the file `name`.
  status keep(const std::string& name, const std::string& text) const;

  const std::string& path() const { return path_; }

private:
  explicit results_folder(std::string path) : path_(std::move(path)) {}

  std::string path_;
};

} // namespace forkfleet::bench
