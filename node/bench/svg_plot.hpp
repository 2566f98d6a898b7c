// SPDX-License-Identifier: Apache-2.0
// A plot of several series with a logarithmic axis of times, as SVG. Pure.
#pragma once

#include <string>
#include <vector>

namespace forkfleet::bench {

/// One point; `y` is in milliseconds.
struct plot_point {
  double x = 0;
  double y = 0;
};

/// How the points of a series are drawn.
enum class plot_style : unsigned char { line, dots };

struct plot_series {
  std::string name = {};
  std::vector<plot_point> points = {};
  plot_style style = plot_style::line;
};

struct plot {
  std::string title = {};
  std::string x_name = {};
  std::string y_name = {};
  std::vector<plot_series> series = {};
};

/// The plots one below the other, each with a legend of its own. At most
/// eight series have colours of their own.
std::string svg_of(const std::vector<plot>& plots);

} // namespace forkfleet::bench
