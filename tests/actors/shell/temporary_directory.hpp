// SPDX-License-Identifier: Apache-2.0
// A directory of a test's own, removed with it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace forkfleet::test {

struct temporary_directory {
  const std::string path = [] {
    std::string name = "/tmp/forkfleet-shell-XXXXXX";
    return std::string{mkdtemp(name.data())};
  }();

  temporary_directory() = default;
  temporary_directory(const temporary_directory&) = delete;
  temporary_directory& operator=(const temporary_directory&) = delete;
  ~temporary_directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

} // namespace forkfleet::test
