// A NATS peer in Go with OpenTelemetry's propagator, which writes header names in canonical case ("Traceparent").
// It answers each message on to.go with one on to.js, sends one request to ask.js and one JetStream message to js.go,
// and prints a line for each: what it did, the trace id, and its own span id. It ends after the message on to.go.
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

func main() {
	nc, err := nats.Connect(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	done := make(chan struct{})
	if _, err := nc.Subscribe("to.go", func(m *nats.Msg) {
		header := propagation.HeaderCarrier{}
		for name, values := range m.Header {
			for _, value := range values {
				header.Set(name, value)
			}
		}
		ctx, span := tracer.Start(propagator.Extract(context.Background(), header), "go.process")
		defer span.End()
		fmt.Println("parent", trace.SpanContextFromContext(ctx).TraceID(), span.(sdktrace.ReadOnlySpan).Parent().SpanID())
		say("answered", span)
		if err := nc.PublishMsg(message(ctx, "to.js")); err != nil {
			log.Fatal(err)
		}
		close(done)
	}); err != nil {
		log.Fatal(err)
	}

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
	fmt.Println("ready")
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		log.Fatal("no message on to.go within 20 s")
	}
	if err := nc.Drain(); err != nil {
		log.Fatal(err)
	}
	for nc.IsDraining() {
		time.Sleep(10 * time.Millisecond)
	}
}
