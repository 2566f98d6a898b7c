// SPDX-License-Identifier: Apache-2.0
// Aligned columns for people. The same on a terminal and in a pipe, but for
// the colours.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "actors/shell/terminal.hpp"

namespace forkfleet::shell {

enum class align : unsigned char { left, right };

struct column {
  std::string title = {};
  align side = align::left;
};

struct cell {
  std::string text = {};
  tone mood = tone::plain;

  cell() = default;
  cell(std::string text_in, tone mood_in = tone::plain)
    : text{std::move(text_in)}, mood{mood_in} {}
  cell(const char* text_in) : text{text_in} {}
};

/// Rows under titles. Cells are made printable; empty ones show "-".
class table {
public:
  explicit table(std::vector<column> columns);

  /// Adds a row. Missing cells are empty, surplus ones are dropped.
  void add(std::vector<cell> row);

  bool empty() const { return rows_.empty(); }

  /// All lines with their line feeds; the titles come first, also when there
  /// are no rows.
  std::string render(const terminal& where) const;

private:
  std::string line(const std::vector<cell>& row,
                   const std::vector<std::size_t>& widths,
                   const terminal& where) const;

  std::vector<column> columns_;
  std::vector<std::vector<cell>> rows_;
};

} // namespace forkfleet::shell
