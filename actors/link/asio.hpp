// SPDX-License-Identifier: Apache-2.0
// The only way to include Asio: in the order that Boost 1.74 needs, compiled
// once, in asio_impl.cpp.
#pragma once

#include <utility>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

namespace forkfleet {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;
/// A stream socket of any family: TCP or Unix.
using net_protocol = asio::generic::stream_protocol;
using net_socket = net_protocol::socket;

} // namespace forkfleet
