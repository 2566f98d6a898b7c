// SPDX-License-Identifier: Apache-2.0
// Asio's own source, compiled here and nowhere else.
#include <utility>

#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
