// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/table.hpp"

#include <algorithm>

namespace forkfleet::shell {
namespace {

constexpr std::size_t gap = 2;

std::string padding(std::size_t width, std::size_t used) {
  return std::string(width > used ? width - used : 0, ' ');
}

} // namespace

table::table(std::vector<column> columns) : columns_{std::move(columns)} {}

void table::add(std::vector<cell> row) {
  row.resize(columns_.size());
  for (auto& x : row)
    x.text = x.text.empty() ? "-" : printable(x.text);
  rows_.push_back(std::move(row));
}

std::string table::line(const std::vector<cell>& row,
                        const std::vector<std::size_t>& widths,
                        const terminal& where) const {
  std::string result;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const auto room = padding(widths[i], display_width(row[i].text));
    const bool right = columns_[i].side == align::right;
    const bool last = i + 1 == row.size();
    result += right ? room : "";
    result += paint(row[i].text, row[i].mood, where);
    result += right || last ? "" : room;
    result += last ? "\n" : std::string(gap, ' ');
  }
  return result;
}

std::string table::render(const terminal& where) const {
  std::vector<cell> titles;
  std::vector<std::size_t> widths;
  for (const auto& x : columns_) {
    titles.emplace_back(x.title, tone::strong);
    widths.push_back(display_width(x.title));
  }
  for (const auto& row : rows_)
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], display_width(row[i].text));
  auto result = line(titles, widths, where);
  for (const auto& row : rows_)
    result += line(row, widths, where);
  return result;
}

} // namespace forkfleet::shell
