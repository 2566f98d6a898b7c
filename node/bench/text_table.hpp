// SPDX-License-Identifier: Apache-2.0
// A table of results for a terminal and for a report in Markdown. Pure.
#pragma once

#include <string>
#include <vector>

namespace forkfleet::bench {

/// Cells by row; the first column is text, all others are figures.
struct text_table {
  std::vector<std::string> head = {};
  std::vector<std::vector<std::string>> rows = {};
};

/// Columns of even width, a line each row.
std::string plain_text(const text_table& table);

/// A table of GitHub's Markdown.
std::string markdown(const text_table& table);

} // namespace forkfleet::bench
