// A NATS peer in Go with OpenTelemetry's propagator, which writes header names in canonical case ("Traceparent").
// It answers each message on to.go with one on to.js, sends one request to ask.js, one JetStream message to js.go and three
// CloudEvents, takes one from JetStream and one CloudEvent, and prints a line for each: what it did, the trace id, and its
// own span id. It ends when it has got all three.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

var (
	tracer     = sdktrace.NewTracerProvider().Tracer("go-peer")
	propagator = propagation.TraceContext{}
)

func message(ctx context.Context, subject string) *nats.Msg {
	m := nats.NewMsg(subject)
	propagator.Inject(ctx, propagation.HeaderCarrier(m.Header))
	return m
}

func say(what string, span trace.Span) {
	fmt.Println(what, span.SpanContext().TraceID(), span.SpanContext().SpanID())
}

func sayParent(what string, span trace.Span) {
	fmt.Println(what, span.SpanContext().TraceID(), span.(sdktrace.ReadOnlySpan).Parent().SpanID())
}

func extract(m *nats.Msg) context.Context {
	header := propagation.HeaderCarrier{}
	for name, values := range m.Header {
		for _, value := range values {
			header.Set(name, value)
		}
	}
	return propagator.Extract(context.Background(), header)
}

func subscribe(nc *nats.Conn, subject string, handle nats.MsgHandler) {
	if _, err := nc.Subscribe(subject, handle); err != nil {
		log.Fatal(err)
	}
}

func main() {
	nc, err := nats.Connect(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	done := make(chan struct{}, 3)
	subscribe(nc, "to.go", func(m *nats.Msg) {
		ctx, span := tracer.Start(extract(m), "go.process")
		defer span.End()
		sayParent("parent", span)
		say("answered", span)
		if err := nc.PublishMsg(message(ctx, "to.js")); err != nil {
			log.Fatal(err)
		}
		done <- struct{}{}
	})
	subscribe(nc, "ce.go", func(m *nats.Msg) {
		receiveEvent(m)
		done <- struct{}{}
	})

	ctx, span := tracer.Start(context.Background(), "go.root")
	reply, err := nc.RequestMsg(message(ctx, "ask.js"), 10*time.Second)
	if err != nil {
		log.Fatal(err)
	}
	say("requested", span)
	fmt.Println("reply", reply.Header.Get("traceparent"))
	js, err := nc.JetStream()
	if err != nil {
		log.Fatal(err)
	}
	if _, err := js.PublishMsg(message(ctx, "js.go")); err != nil {
		log.Fatal(err)
	}
	span.End()
	if err := sendEvents(nc); err != nil {
		log.Fatal(err)
	}
	stored, err := js.PullSubscribe("js.to.go", "go")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready")
	messages, err := stored.Fetch(1, nats.MaxWait(20*time.Second))
	if err != nil {
		log.Fatal(err)
	}
	_, span = tracer.Start(extract(messages[0]), "go.consume")
	sayParent("stored", span)
	span.End()
	if err := messages[0].AckSync(); err != nil {
		log.Fatal(err)
	}
	done <- struct{}{}
	for range cap(done) {
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			log.Fatal("not all messages within 20 s")
		}
	}
	if err := nc.Drain(); err != nil {
		log.Fatal(err)
	}
	for nc.IsDraining() {
		time.Sleep(10 * time.Millisecond)
	}
}
